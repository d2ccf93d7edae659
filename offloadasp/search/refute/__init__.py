"""Complete search by refutation."""
