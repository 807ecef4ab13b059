import Gateway
import Testing

/// The shipped configurations and docs/configuration.md say what the types say.
@Suite struct ConfigurationFilesTests {
    @Test(arguments: Project.files(below: "conf", suffix: ".conf.json"))
    func shippedConfigurationsLoadWithoutWarnings(_ file: String) throws {
        let loaded = try GatewayConfiguration.load(file: "\(Project.root)/\(file)", environment: [:])
        #expect(loaded.problems.filter { $0.severity != .notice } == [])
    }

    @Test func theShippedConfigurationHasEveryKeyWithItsDefault() throws {
        let document = try JSONValue(parsing: Array(try Project.text("conf/gbgate.conf.json").utf8), json5: true)
        for key in try ConfigurationSchema.gateway().keys {
            var value: JSONValue? = document
            for name in key.path.split(separator: ".") { value = value?.object?[String(name)] }
            #expect(value == key.defaultValue, "conf/gbgate.conf.json: \(key.path)")
        }
    }

    @Test func theDocumentationHasEveryKeyWithItsDefault() throws {
        let rows = try rows(below: "## Keys")
        let keys = try ConfigurationSchema.gateway().keys
        #expect(rows == keys.map { [$0.path, $0.defaultValue.text] })
    }

    @Test func theDocumentationHasEveryKeyOfAProvisionedDevice() throws {
        let rows = try rows(below: "## Provisioned devices")
        let keys = try ConfigurationSchema(defaults: ProvisionedDevice()).keys
        #expect(rows == keys.map { [$0.path, $0.defaultValue.text] })
    }

    @Test func unservedSwitchesAreMarkedInTheDocumentation() throws {
        let text = try Project.text("docs/configuration.md")
        let everything = try ConfigurationSchema.gateway().keys.filter { $0.defaultValue == .bool(false) }
        var environment = Dictionary(uniqueKeysWithValues: everything.map { ($0.environmentName, "true") })
        // Without them asking for them is an error.
        environment["GBGATE_RTSP_USERNAME"] = "user"
        environment["GBGATE_RTSP_PASSWORD"] = "password"
        let loaded = try GatewayConfiguration.load(file: nil, environment: environment)
        let unserved = loaded.problems.filter { $0.message.hasPrefix("has no effect yet") && $0.severity == .notice }
        #expect(!unserved.isEmpty)
        for problem in unserved {
            let row = text.split(separator: "\n").first { $0.hasPrefix("| `\(problem.path)` |") }
            #expect(row?.contains("*not yet*") == true, "\(problem.path)")
        }
    }

    /// Key and default of the rows of the first table below a heading.
    private func rows(below heading: String) throws -> [[String]] {
        let text = try Project.text("docs/configuration.md")
        let start = try #require(text.firstRange(of: "\(heading)\n"))
        let section = text[start.upperBound...].split(separator: "\n").prefix { !$0.hasPrefix("## ") }
        return section.filter { $0.hasPrefix("| `") }.map { row in
            let cells = row.split(separator: "|").map { $0.filter { $0 != "`" } }
            return cells.prefix(2).map { cell in String(cell.dropFirst().dropLast()) }
        }
    }
}
