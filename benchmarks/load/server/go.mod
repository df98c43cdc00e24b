module tidemark.example/load-server

go 1.22
