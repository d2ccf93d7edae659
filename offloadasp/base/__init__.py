"""What every stage may use: errors, messages, files, and where shipped files are."""
