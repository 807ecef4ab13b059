internal import ArgumentParser
internal import Gateway

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validates a configuration, and the device files that it names, without starting anything."
    )

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let loaded: LoadedConfiguration
        do {
            loaded = try options.load()
        } catch let error as ConfigurationError {
            for problem in error.problems { print("\(problem.severity.rawValue): \(problem)") }
            throw ExitCode.failure
        }
        for problem in loaded.problems + SecureListeners.problems(loaded.configuration) {
            print("\(problem.severity.rawValue): \(problem)")
        }
        let folder = loaded.configuration.gb28181.devicesDir
        let (devices, problems) = ProvisionedDevice.load(folder: folder)
        for problem in problems { print("\(problem.severity.rawValue): \(problem)") }
        print("\(loaded.file ?? "defaults (no file)"): ok, \(devices.count) provisioned devices in \(folder)")
        if problems.contains(where: { $0.severity == .error }) { throw ExitCode.failure }
    }
}
