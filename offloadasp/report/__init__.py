"""Everything that is shown: text on the terminal, JSON, the page, plots and timelines."""
