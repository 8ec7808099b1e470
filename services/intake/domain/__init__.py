"""Values and rules of intake: no gRPC, SQL, telemetry or clock."""
