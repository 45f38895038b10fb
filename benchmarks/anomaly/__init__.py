"""What the accuracy of anomaly detection is measured with."""
