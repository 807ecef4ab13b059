import Testing

/// Runs what depends on how other people's programs start and stop on a busy machine, or is known to be wrong and said so in
/// docs/clients.md: it is reported, and fails no run.
func unsettled(_ what: Comment, _ body: () async throws -> Void) async {
    await withKnownIssue(what, isIntermittent: true) { try await body() }
}
