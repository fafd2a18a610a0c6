"""What happens to one number, as instructions: whole and real numbers, and the elementary functions."""
