"""How long the server takes for each page of a large memory."""
