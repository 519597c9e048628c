"""What fits this library into frameworks."""
