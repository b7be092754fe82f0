"""What the product costs: one script a question; see README.md."""
