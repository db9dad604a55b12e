"""From an agent's headers to a verified principal: where credentials stand, checked and taken out."""
