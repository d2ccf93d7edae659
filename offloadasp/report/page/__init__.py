"""The page of ``offload-asp report``: one HTML file that holds everything it shows."""
