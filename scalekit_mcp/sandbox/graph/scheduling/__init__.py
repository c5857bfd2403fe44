"""What a scheduling assistant asks for: everybody's busy time, working hours, and rooms that answer."""
