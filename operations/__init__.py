"""What operators ask a part of us: is it alive, does it get its work done, what does it count."""
