"""Locust as the control plane: seats as users, the fleet's figures in Locust's tables, its start and stop as ours."""
