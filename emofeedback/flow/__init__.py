"""Flow matching: schedules and steps as pure tensor maths."""
