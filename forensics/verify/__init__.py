"""What an auditor asks of a bundle: is it what happened, unaltered and whole; pure, and never a traceback."""
