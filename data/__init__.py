"""Everything fetched or kept; the only room with network and disk."""
