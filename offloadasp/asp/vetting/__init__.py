"""Rule files of users, read before clingo loads them."""
