"""Files of type .avi: what their headers and indexes claim (`structure`), and what lies in them (`chunks`)."""
