"""The figures of training: what each means, and measuring it over a period for a part of the organisation."""
