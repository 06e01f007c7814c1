internal import ArgumentParser

/// The job that a command is about.
struct JobArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The export's id.", valueName: "export"))
    var id: String
}
