window.BENCHMARK_DATA = {
  "lastUpdate": 1795978576937,
  "repoUrl": "https://github.com/example/shop",
  "entries": {
    "Go": [
      {
        "commit": {
          "author": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "committer": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "id": "9d0105fe226309e45106f89e9a7e700777e6d025",
          "message": "base",
          "timestamp": "2026-01-01T00:00:00Z",
          "url": "https://github.com/example/shop/commit/9d0105fe226309e45106f89e9a7e700777e6d025"
        },
        "date": 1795978574222,
        "tool": "go",
        "benches": [
          {
            "name": "BenchmarkSum",
            "value": 35556,
            "unit": "ns/op\t      1000 items/op\t   25208 B/op\t      12 allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - ns/op",
            "value": 35556,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - items/op",
            "value": 1000,
            "unit": "items/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - B/op",
            "value": 25208,
            "unit": "B/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - allocs/op",
            "value": 12,
            "unit": "allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum",
            "value": 9958,
            "unit": "ns/op\t      1000 items/op\t   25208 B/op\t      12 allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - ns/op",
            "value": 9958,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - items/op",
            "value": 1000,
            "unit": "items/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - B/op",
            "value": 25208,
            "unit": "B/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - allocs/op",
            "value": 12,
            "unit": "allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum",
            "value": 5796,
            "unit": "ns/op\t      1000 items/op\t   25208 B/op\t      12 allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - ns/op",
            "value": 5796,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - items/op",
            "value": 1000,
            "unit": "items/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - B/op",
            "value": 25208,
            "unit": "B/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - allocs/op",
            "value": 12,
            "unit": "allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole",
            "value": 81.32,
            "unit": "ns/op\t50368.91 MB/s",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - ns/op",
            "value": 81.32,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - MB/s",
            "value": 50368.91,
            "unit": "MB/s",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole",
            "value": 89.54,
            "unit": "ns/op\t45744.92 MB/s",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - ns/op",
            "value": 89.54,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - MB/s",
            "value": 45744.92,
            "unit": "MB/s",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole",
            "value": 91.74,
            "unit": "ns/op\t44647.92 MB/s",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - ns/op",
            "value": 91.74,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - MB/s",
            "value": 44647.92,
            "unit": "MB/s",
            "extra": "50 times\n2 procs"
          }
        ]
      },
      {
        "commit": {
          "author": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "committer": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "id": "71a143577a94e5e82da812fc08f36c76e3fd0418",
          "message": "new",
          "timestamp": "2026-01-01T00:00:00Z",
          "url": "https://github.com/example/shop/commit/71a143577a94e5e82da812fc08f36c76e3fd0418"
        },
        "date": 1795978575796,
        "tool": "go",
        "benches": [
          {
            "name": "BenchmarkSum",
            "value": 724.5,
            "unit": "ns/op\t      1000 items/op\t       0 B/op\t       0 allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - ns/op",
            "value": 724.5,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - items/op",
            "value": 1000,
            "unit": "items/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - B/op",
            "value": 0,
            "unit": "B/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - allocs/op",
            "value": 0,
            "unit": "allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum",
            "value": 1004,
            "unit": "ns/op\t      1000 items/op\t       0 B/op\t       0 allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - ns/op",
            "value": 1004,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - items/op",
            "value": 1000,
            "unit": "items/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - B/op",
            "value": 0,
            "unit": "B/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - allocs/op",
            "value": 0,
            "unit": "allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum",
            "value": 759.3,
            "unit": "ns/op\t      1000 items/op\t       0 B/op\t       0 allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - ns/op",
            "value": 759.3,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - items/op",
            "value": 1000,
            "unit": "items/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - B/op",
            "value": 0,
            "unit": "B/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkSum - allocs/op",
            "value": 0,
            "unit": "allocs/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole",
            "value": 55.28,
            "unit": "ns/op\t74095.51 MB/s",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - ns/op",
            "value": 55.28,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - MB/s",
            "value": 74095.51,
            "unit": "MB/s",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole",
            "value": 53.28,
            "unit": "ns/op\t76876.88 MB/s",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - ns/op",
            "value": 53.28,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - MB/s",
            "value": 76876.88,
            "unit": "MB/s",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole",
            "value": 68.5,
            "unit": "ns/op\t59795.62 MB/s",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - ns/op",
            "value": 68.5,
            "unit": "ns/op",
            "extra": "50 times\n2 procs"
          },
          {
            "name": "BenchmarkCopy/whole - MB/s",
            "value": 59795.62,
            "unit": "MB/s",
            "extra": "50 times\n2 procs"
          }
        ]
      }
    ],
    "Criterion": [
      {
        "commit": {
          "author": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "committer": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "id": "9d0105fe226309e45106f89e9a7e700777e6d025",
          "message": "base",
          "timestamp": "2026-01-01T00:00:00Z",
          "url": "https://github.com/example/shop/commit/9d0105fe226309e45106f89e9a7e700777e6d025"
        },
        "date": 1795978574710,
        "tool": "cargo",
        "benches": [
          {
            "name": "sum/10",
            "value": 22,
            "range": "± 11",
            "unit": "ns/iter"
          },
          {
            "name": "sum/1000",
            "value": 939,
            "range": "± 405",
            "unit": "ns/iter"
          },
          {
            "name": "sort/one two?",
            "value": 3028,
            "range": "± 799",
            "unit": "ns/iter"
          }
        ]
      },
      {
        "commit": {
          "author": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "committer": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "id": "71a143577a94e5e82da812fc08f36c76e3fd0418",
          "message": "new",
          "timestamp": "2026-01-01T00:00:00Z",
          "url": "https://github.com/example/shop/commit/71a143577a94e5e82da812fc08f36c76e3fd0418"
        },
        "date": 1795978576127,
        "tool": "cargo",
        "benches": [
          {
            "name": "sum/10",
            "value": 14,
            "range": "± 6",
            "unit": "ns/iter"
          },
          {
            "name": "sum/1000",
            "value": 1647,
            "range": "± 645",
            "unit": "ns/iter"
          },
          {
            "name": "sort/one two?",
            "value": 2424,
            "range": "± 1042",
            "unit": "ns/iter"
          }
        ]
      }
    ],
    "Pytest": [
      {
        "commit": {
          "author": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "committer": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "id": "9d0105fe226309e45106f89e9a7e700777e6d025",
          "message": "base",
          "timestamp": "2026-01-01T00:00:00Z",
          "url": "https://github.com/example/shop/commit/9d0105fe226309e45106f89e9a7e700777e6d025"
        },
        "date": 1795978575013,
        "tool": "pytest",
        "benches": [
          {
            "name": "test_x.py::test_sum",
            "value": 21944.129147109026,
            "unit": "iter/sec",
            "range": "stddev: 0.000016575071059490797",
            "extra": "mean: 45.57027500595723 usec\nrounds: 12"
          },
          {
            "name": "test_x.py::test_sort",
            "value": 10704.953289478992,
            "unit": "iter/sec",
            "range": "stddev: 0.0002187732280457391",
            "extra": "mean: 93.41469999526453 usec\nrounds: 12"
          }
        ]
      },
      {
        "commit": {
          "author": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "committer": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "id": "71a143577a94e5e82da812fc08f36c76e3fd0418",
          "message": "new",
          "timestamp": "2026-01-01T00:00:00Z",
          "url": "https://github.com/example/shop/commit/71a143577a94e5e82da812fc08f36c76e3fd0418"
        },
        "date": 1795978576613,
        "tool": "pytest",
        "benches": [
          {
            "name": "test_x.py::test_sum",
            "value": 21944.129147109026,
            "unit": "iter/sec",
            "range": "stddev: 0.000016575071059490797",
            "extra": "mean: 45.57027500595723 usec\nrounds: 12"
          },
          {
            "name": "test_x.py::test_sort",
            "value": 10704.953289478992,
            "unit": "iter/sec",
            "range": "stddev: 0.0002187732280457391",
            "extra": "mean: 93.41469999526453 usec\nrounds: 12"
          }
        ]
      }
    ],
    "Sizes": [
      {
        "commit": {
          "author": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "committer": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "id": "9d0105fe226309e45106f89e9a7e700777e6d025",
          "message": "base",
          "timestamp": "2026-01-01T00:00:00Z",
          "url": "https://github.com/example/shop/commit/9d0105fe226309e45106f89e9a7e700777e6d025"
        },
        "date": 1795978575391,
        "tool": "customSmallerIsBetter",
        "benches": [
          {
            "name": "start-up",
            "value": 12.5,
            "range": "0.3",
            "unit": "ms"
          },
          {
            "name": "binary",
            "value": 840,
            "unit": "kB"
          }
        ]
      },
      {
        "commit": {
          "author": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "committer": {
            "name": "Test Author",
            "username": "author",
            "email": "author@example.invalid"
          },
          "id": "71a143577a94e5e82da812fc08f36c76e3fd0418",
          "message": "new",
          "timestamp": "2026-01-01T00:00:00Z",
          "url": "https://github.com/example/shop/commit/71a143577a94e5e82da812fc08f36c76e3fd0418"
        },
        "date": 1795978576912,
        "tool": "customSmallerIsBetter",
        "benches": [
          {
            "name": "start-up",
            "value": 11.9,
            "range": "0.2",
            "unit": "ms"
          },
          {
            "name": "binary",
            "value": 820,
            "unit": "kB"
          }
        ]
      }
    ]
  }
}