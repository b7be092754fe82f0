"""The commands of the image, one a file."""
