"""What the data is: entities, references, metrics, and the questions that may be asked of them."""
