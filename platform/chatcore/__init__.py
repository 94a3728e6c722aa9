"""The reference chat-routing core: the smallest real core that carries the case studies with full guarantees."""
