"""Plans for transfers beside the compute action, made from serial ones."""
