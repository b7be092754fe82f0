"""What every processing job does alike. Standard library only."""
