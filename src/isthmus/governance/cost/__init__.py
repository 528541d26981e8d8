"""What the platform costs whom, what it saves, and what front ends' answers cost and move."""
