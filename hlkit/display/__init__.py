"""What cards, results and widgets share to show things as HTML."""
