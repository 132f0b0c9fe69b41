"""A Binance-compatible exchange on one port, with a generated or a replayed market. It knows only the room `market`."""
