"""Training by fastnn and by its peers, side by side in one run."""
