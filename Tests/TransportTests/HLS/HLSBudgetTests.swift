import Testing

@testable import Transport

/// What all streams of HLS may hold together.
@Suite(.timeLimit(.minutes(1)))
struct HLSBudgetTests {
    private static let pictures = TestPictures.pictures(0..<340, key: 200_000)

    @Test func aStreamThatGrowsBeyondTheBudgetGivesUpItsOldestAndNoFurtherOneIsCut() async throws {
        var options = HLSOptions()
        options.budget = HLSBudget(limit: 1 << 20)
        options.transportStream.maximumBytes = 64 << 20
        let budget = options.budget
        let service = HLSService(options)
        var http = MediaHTTPConfiguration()
        http.hls = service
        try await MediaHTTPFixture.with(http: http) { fixture in
            service.start(fixture.hub, on: fixture.group.next())
            let first = try await fixture.publish("a")
            try await first.receive([TestPictures.parameters[0]] + Self.pictures.prefix(1))
            let client = try fixture.client()
            client.send("GET /hls/a/playlist.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n")
            try await fixture.wait { _ in service.statistics.first?.waiting == 1 }
            try await first.receive(Array(Self.pictures.dropFirst()))
            #expect(client.readAnswer()?.body.contains(".ts") == true)
            let statistics = try #require(service.statistics.first)
            #expect(statistics.droppedSegments > 0)
            #expect(statistics.memory == budget.bytes)
            let second = try await fixture.publish("b")
            try await second.receive([TestPictures.parameters[0]] + Self.pictures.prefix(1))
            client.send("GET /hls/b/playlist.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try #require(client.readAnswer())
            #expect(answer.head.contains("503") && answer.body.contains("memory_total_max_mb"), "\(answer)")
            try await first.finish()
            try await second.finish()
            service.stop()
            try await fixture.wait { _ in budget.bytes == 0 }
        }
    }
}
