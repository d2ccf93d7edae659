"""The search for strategies: constructive plans at any size, complete search where it grounds."""
