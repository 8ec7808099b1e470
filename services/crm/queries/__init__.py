"""What crm answers, and how it reads."""
