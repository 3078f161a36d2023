"""What is deployed beside the package: the application, the CRM bridge."""
