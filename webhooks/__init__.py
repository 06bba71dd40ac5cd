"""Push: events become messages for endpoints, are signed and delivered; and the API by which HR proposes."""
