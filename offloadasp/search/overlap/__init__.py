"""Plans for transfers beside the compute action, made of serial orders."""
