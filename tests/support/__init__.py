"""What tests share: layers, commands, oracles, a browser."""
