"""Whether a strategy is valid and its bound proved: the rules, the simulator, the certificate."""
