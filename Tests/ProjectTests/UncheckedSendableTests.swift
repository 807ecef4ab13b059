import Testing

/// Where the compiler is told to trust us. A new line here needs a comment in the file that names the invariant.
@Suite struct UncheckedSendableTests {
    static let allowed: Set<String> = [
        // Memory that several loops read and one loop wrote before it was handed over.
        "Sources/Hub/Log/ByteBlock.swift",
        "Sources/Hub/Log/Slab.swift",
        // Loop-bound: every method asserts its event loop.
        "Sources/Hub/Loops/LoopDispatcher.swift",
    ]

    @Test func nobodyElseAsksForTrust() throws {
        let found = try Project.files(below: "Sources", suffix: ".swift").filter { file in
            let text = try Project.text(file)
            return text.contains("@unchecked Sendable") || text.contains("nonisolated(unsafe)")
        }
        #expect(Set(found).subtracting(Self.allowed) == [])
        let stale = Self.allowed.filter { Project.exists($0) && !found.contains($0) }
        #expect(stale == [], "no longer needed here")
    }
}
