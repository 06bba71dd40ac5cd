"""xAPI: statements that others push to us, and the strict validator of them."""
