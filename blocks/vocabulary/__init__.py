"""The words of the trade: messages, findings, severity and urgency, responses, frames."""
