"""The user's own: what makes this model this model. Upgrades never touch this folder."""
