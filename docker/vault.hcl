# A server, not a development one: what it holds lasts, and a person opens it (docker/README.md).
storage "raft" {
  path    = "/vault/file"
  node_id = "vault"
}
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/etc/vault.crt"
  tls_key_file  = "/run/secrets/vault.key"
}
api_addr      = "https://vault:8200"
cluster_addr  = "https://vault:8201"
disable_mlock = true # raft maps its file into memory; the container has no right to lock that
ui            = false
