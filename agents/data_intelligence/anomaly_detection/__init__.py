"""What is not as it usually is: metrics, the agents' own calls, the business's figures."""
