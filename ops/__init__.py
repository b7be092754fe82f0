"""The operator's side: projects, data sets, and the road from a table to an endpoint."""
