"""From a question to one SQL statement: names are bound, cells planned, joins proved."""
