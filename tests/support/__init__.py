"""What several tests share: doubles of nothing, only material and small clients."""
