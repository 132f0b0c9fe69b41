"""What people see: pages, the API, the event stream."""
