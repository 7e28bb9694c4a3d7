module resnetcc.example/digit

go 1.18
