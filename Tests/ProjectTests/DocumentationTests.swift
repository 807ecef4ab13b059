import Testing

@Suite struct DocumentationTests {
    static let pages = Project.files(below: "docs", suffix: ".md") + (Project.exists("README.md") ? ["README.md"] : [])

    /// Relative links of every page lead to files that exist.
    @Test(arguments: pages) func linksLeadSomewhere(_ page: String) throws {
        let folder = page.split(separator: "/").dropLast().map(String.init)
        for link in try Project.text(page).matches(of: /\]\(([^)#\s]+)[^)]*\)/).map({ String($0.1) }) {
            if link.contains("://") || link.hasPrefix("mailto:") { continue }
            var path = folder
            for part in link.split(separator: "/") where part != "." {
                if part == ".." { _ = path.popLast() } else { path.append(String(part)) }
            }
            #expect(Project.exists(path.joined(separator: "/")), "\(page): \(link)")
        }
    }

    @Test func thereIsDocumentation() {
        #expect(Self.pages.contains("docs/configuration.md"))
        #expect(Self.pages.contains("docs/api/README.md"))
    }
}
