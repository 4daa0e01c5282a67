"""Who is who: names, emails and phone numbers, compared and checked."""
